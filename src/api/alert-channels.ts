import { Elysia, status, t } from "elysia";
import { CHANNEL_KINDS } from "../alerts/channel-settings.ts";
import { CHANNELS_AT_MOST, type ChannelChange } from "../alerts/keep-channels.ts";
import {
  ChannelJson,
  ChannelName,
  KeptChannelJson,
  SETTINGS_FIELDS,
  settingsIn,
  showChannel,
} from "./alert-channel-view.ts";
import type { RouteDeps } from "./deps.ts";
import { parseId, unknownThing } from "./identifiers.ts";
import { refuseUnknownFields } from "./known-fields.ts";
import { BODY_REFUSALS, LIST_REFUSALS, operation, PageOf, Word } from "./operation.ts";
import { PAGE_QUERY, pageOf, readPage, refuseCursor } from "./page.ts";
import { refuse } from "./problem.ts";

const NAME_TAKEN = "`channel_exists`: another channel has that name";

const NewChannelBody = t.Object(
  {
    name: ChannelName,
    kind: Word(CHANNEL_KINDS),
    enabled: t.Optional(t.Boolean({ description: "false: nothing goes to it until it is switched on." })),
    ...SETTINGS_FIELDS,
  },
  { additionalProperties: false },
);
const ChannelChangeBody = t.Object(
  {
    name: t.Optional(ChannelName),
    enabled: t.Optional(t.Boolean({ description: "false: nothing goes to it, and what waited is given up." })),
    rotate_secret: t.Optional(t.Boolean({ description: "webhook: makes a new secret, shown in the answer." })),
    ...SETTINGS_FIELDS,
  },
  { minProperties: 1, additionalProperties: false },
);

/** Where alerts go. */
export function alertChannelRoutes({ channels, actorOf }: RouteDeps) {
  return new Elysia({ prefix: "/api/admin/alerts/channels" })
    .post(
      "",
      ({ body, request }) => {
        const { name, kind, enabled: isEnabled } = body;
        const made = channels.make({ name, kind, isEnabled, input: settingsIn(body) }, actorOf(request));
        return made.is === "kept" ? status(201, showKept(made)) : refuseChange(made);
      },
      {
        body: NewChannelBody,
        transform: refuseUnknownFields(NewChannelBody),
        detail: operation({
          tag: "Alerts",
          scope: "admin",
          summary: "Makes a channel that alerts go to",
          description:
            "Addresses and secrets are sealed and shown nowhere again. A webhook's messages are signed by the Standard Webhooks scheme.",
          answers: { 201: { description: "Made. `secret` is there where it was made here.", schema: KeptChannelJson } },
          refusals: { ...BODY_REFUSALS, 409: `${NAME_TAKEN}, or \`too_many_channels\`.` },
        }),
      },
    )
    .get(
      "",
      ({ query }) => {
        const page = readPage(query);
        if (page === undefined) return refuseCursor();
        const items = channels.list(page.after?.[0] ?? 0, page.limit);
        return pageOf(items, page.limit, { item: showChannel, position: ({ row }) => [row.id] });
      },
      {
        query: t.Object(PAGE_QUERY),
        detail: operation({
          tag: "Alerts",
          scope: "read",
          summary: "Lists the channels, without their secrets",
          answers: { 200: { description: "A page of channels, by id.", schema: PageOf(ChannelJson) } },
          refusals: LIST_REFUSALS,
        }),
      },
    )
    .get(
      "/:id",
      ({ params }) => {
        const id = parseId(params.id);
        const channel = id === undefined ? undefined : channels.read(id);
        return channel === undefined ? unknownThing("channel") : showChannel(channel);
      },
      {
        params: t.Object({ id: t.String() }),
        detail: operation({
          tag: "Alerts",
          scope: "read",
          summary: "Shows a channel, and how its last deliveries went",
          answers: { 200: { description: "As it is now.", schema: ChannelJson } },
          refusals: { 404: "There is no such channel." },
        }),
      },
    )
    .patch(
      "/:id",
      ({ params, body, request }) => {
        const id = parseId(params.id);
        if (id === undefined) return unknownThing("channel");
        const { name, enabled: isEnabled, rotate_secret: rotateSecret } = body;
        const wanted = { name, isEnabled, rotateSecret, input: settingsIn(body) };
        const changed = channels.change(id, wanted, actorOf(request));
        return changed.is === "kept" ? showKept(changed) : refuseChange(changed);
      },
      {
        params: t.Object({ id: t.String() }),
        body: ChannelChangeBody,
        transform: refuseUnknownFields(ChannelChangeBody),
        detail: operation({
          tag: "Alerts",
          scope: "admin",
          summary: "Changes a channel; what is left out stays",
          description: "Whoever moves it to another server gives its password or token again.",
          answers: {
            200: { description: "As it is now. `secret` is there where it was made here.", schema: KeptChannelJson },
          },
          refusals: { ...BODY_REFUSALS, 404: "There is no such channel.", 409: `${NAME_TAKEN}.` },
        }),
      },
    )
    .delete(
      "/:id",
      ({ params, request }) => {
        const id = parseId(params.id);
        const isRemoved = id !== undefined && channels.remove(id, actorOf(request));
        return isRemoved ? { id, removed: true } : unknownThing("channel");
      },
      {
        params: t.Object({ id: t.String() }),
        detail: operation({
          tag: "Alerts",
          scope: "admin",
          summary: "Removes a channel, with its secrets",
          answers: {
            200: {
              description: "Nothing goes there any more; what waited is given up.",
              schema: t.Object({ id: t.Integer(), removed: t.Boolean() }),
            },
          },
          refusals: { 404: "There is no such channel." },
        }),
      },
    );
}

function showKept({ channel, madeSecret }: Extract<ChannelChange, { is: "kept" }>): typeof KeptChannelJson.static {
  return { ...showChannel(channel), ...(madeSecret === undefined ? {} : { secret: madeSecret }) };
}

function refuseChange(change: Exclude<ChannelChange, { is: "kept" }>) {
  switch (change.is) {
    case "unknown":
      return unknownThing("channel");
    case "name_taken":
      return refuse(409, "channel_exists", "Another channel has that name. Give this one a name of its own.");
    case "too_many":
      return refuse(409, "too_many_channels", `There are ${CHANNELS_AT_MOST} channels already. Remove one first.`);
    case "refused": {
      const errors = change.problems.map(({ field, message }) => ({ field, message }));
      const sentence = errors.map(({ field, message }) => `${field}: ${message.replace(/\.$/, "")}`).join("; ");
      return refuse(
        422,
        "invalid_request",
        `${sentence}. The documentation at /swagger says what each kind of channel takes.`,
        { errors },
      );
    }
    default:
      return change satisfies never;
  }
}
