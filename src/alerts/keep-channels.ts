import {
  deleteChannel,
  findChannelByName,
  insertChannel,
  readChannel,
  readChannels,
  updateChannel,
} from "../db/alert-channels.ts";
import { giveUpMessagesOf } from "../db/alert-messages.ts";
import type { AlertChannelKind, AlertChannelRow } from "../db/schema-alerts.ts";
import type { RandomBytes, Seal } from "../db/seal.ts";
import { recordByHand } from "../sync/by-hand.ts";
import type { SyncContext } from "../sync/context.ts";
import { type ChannelInput, type InputProblem, readChannelInput } from "./channel-input.ts";
import { type ChannelSettings, openSettings, sealSettings } from "./channel-settings.ts";
import { makeWebhookSecret } from "./webhook-signature.ts";

/** A channel with its settings; undefined where they do not open and have to be given again. */
export type Channel = { readonly row: AlertChannelRow; readonly settings: ChannelSettings | undefined };

/** What came of a change. `madeSecret`: shown once, and never again. */
export type ChannelChange =
  | { readonly is: "kept"; readonly channel: Channel; readonly madeSecret: string | undefined }
  | { readonly is: "unknown" }
  | { readonly is: "name_taken" }
  | { readonly is: "too_many" }
  | { readonly is: "refused"; readonly problems: readonly InputProblem[] };

export type ChannelKeeper = {
  read(id: number): Channel | undefined;
  /** By its name, or by its id in digits: a name is never digits alone. */
  find(nameOrId: string): Channel | undefined;
  list(afterId: number, limit: number): readonly Channel[];
  /** `by`: whose hand does it. */
  make(
    wanted: { name: string; kind: AlertChannelKind; isEnabled?: boolean | undefined; input: ChannelInput },
    by: string,
  ): ChannelChange;
  /** What is left out stays. `rotateSecret` makes a webhook's secret anew. */
  change(
    id: number,
    wanted: {
      name?: string | undefined;
      isEnabled?: boolean | undefined;
      input: ChannelInput;
      rotateSecret?: boolean | undefined;
    },
    by: string,
  ): ChannelChange;
  /** False when there was none. What was still to go there is given up. */
  remove(id: number, by: string): boolean;
};

/** Everybody's phone is enough: each message goes to each channel. */
export const CHANNELS_AT_MOST = 20;

/** Keeps the channels. @param parts.randomBytes for secrets: the machine's own, never dice. */
export function keepChannels(context: SyncContext, parts: { seal: Seal; randomBytes: RandomBytes }): ChannelKeeper {
  const { db, clock, commits } = context;
  const { seal, randomBytes } = parts;
  const withSettings = (row: AlertChannelRow): Channel => ({ row, settings: openSettings(seal, row) });
  const read = (id: number): Channel | undefined => {
    const row = readChannel(db, id);
    return row === undefined ? undefined : withSettings(row);
  };

  return {
    read,
    find(nameOrId) {
      if (/^\d{1,15}$/.test(nameOrId)) return read(Number(nameOrId));
      const row = findChannelByName(db, nameOrId);
      return row === undefined ? undefined : withSettings(row);
    },
    list: (afterId, limit) => readChannels(db, afterId, limit).map(withSettings),
    make({ name, kind, isEnabled = true, input }, by) {
      let madeSecret: string | undefined;
      const makeSecret = () => {
        madeSecret = makeWebhookSecret(randomBytes);
        return madeSecret;
      };
      const given = readChannelInput(kind, input, { before: undefined, makeSecret });
      if (!given.ok) return { is: "refused", problems: given.problems };
      return commits.now((): ChannelChange => {
        if (findChannelByName(db, name) !== undefined) return { is: "name_taken" };
        if (readChannels(db, 0, CHANNELS_AT_MOST).length >= CHANNELS_AT_MOST) return { is: "too_many" };
        const row = insertChannel(db, {
          name,
          kind,
          isEnabled,
          keyId: seal.keyId,
          seal: (id) => sealSettings(seal, id, given.settings),
          nowMs: clock.nowMs(),
          by,
        });
        recordByHand(context, by, {
          action: "alert_channel.made",
          target: `alert_channel:${row.id}`,
          detail: { kind, enabled: isEnabled, allow_private: given.settings.allowPrivate },
        });
        // What is open already is told to the first channel.
        commits.afterCommit(context.bell.ring);
        return { is: "kept", channel: { row, settings: given.settings }, madeSecret };
      });
    },
    change(id, { name, isEnabled, input, rotateSecret = false }, by) {
      const channel = read(id);
      if (channel === undefined) return { is: "unknown" };
      const { row, settings: before } = channel;
      if (rotateSecret && row.kind !== "webhook") return { is: "refused", problems: [noSecretToRotate(row.kind)] };
      const madeSecret = rotateSecret ? makeWebhookSecret(randomBytes) : undefined;
      const isGiven = madeSecret !== undefined || Object.values(input).some((value) => value !== undefined);
      const secret = madeSecret === undefined ? {} : { secret: madeSecret };
      const makeSecret = () => makeWebhookSecret(randomBytes);
      const given = readChannelInput(row.kind, { ...input, ...secret }, { before, makeSecret });
      if (isGiven && !given.ok) return { is: "refused", problems: given.problems };
      return commits.now((): ChannelChange => {
        const other = name === undefined ? undefined : findChannelByName(db, name);
        if (other !== undefined && other.id !== id) return { is: "name_taken" };
        const sealed =
          isGiven && given.ok
            ? { sealed: { keyId: seal.keyId, settingsSealed: sealSettings(seal, id, given.settings) } }
            : {};
        const changed = updateChannel(db, id, {
          ...(name === undefined ? {} : { name }),
          ...(isEnabled === undefined ? {} : { isEnabled }),
          ...sealed,
        });
        if (changed === undefined) return { is: "unknown" };
        const allowPrivate = given.ok ? { allow_private: given.settings.allowPrivate } : {};
        recordByHand(context, by, {
          action: "alert_channel.changed",
          target: `alert_channel:${id}`,
          // Which fields, never what stands in them.
          detail: { fields: changedFields({ name, isEnabled, ...input, ...secret }), ...allowPrivate },
        });
        commits.afterCommit(context.bell.ring);
        return { is: "kept", channel: withSettings(changed), madeSecret };
      });
    },
    remove: (id, by) =>
      commits.now(() => {
        if (!deleteChannel(db, id)) return false;
        giveUpMessagesOf(db, id, "The channel was removed.", clock.nowMs());
        recordByHand(context, by, { action: "alert_channel.removed", target: `alert_channel:${id}` });
        return true;
      }),
  };
}

const noSecretToRotate = (kind: AlertChannelKind): InputProblem => ({
  field: "rotate_secret",
  message: `is not of a channel of kind ${kind}`,
});

const OUTSIDE: Readonly<Record<string, string>> = { isEnabled: "enabled", allowPrivate: "allow_private" };

function changedFields(given: Readonly<Record<string, unknown>>): string[] {
  return Object.keys(given)
    .filter((name) => given[name] !== undefined)
    .map((name) => OUTSIDE[name] ?? name);
}
