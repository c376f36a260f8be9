import { describeApi } from "../api/api.ts";
import type { Command } from "./command.ts";

export const openapi: Command = {
  name: "openapi",
  summary: "prints the OpenAPI document of the API",
  details: "Prints the OpenAPI document of every route, as /swagger/json of a running daemon gives it.",
  takesSettings: false,
  async run(_given, { terminal, version }) {
    terminal.out(JSON.stringify(await describeApi(version), null, 2));
    return 0;
  },
};
