import { defineConfig } from "drizzle-kit";

export default defineConfig({ dialect: "sqlite", schema: ["./src/db/schema.ts", "./src/db/schema-athletes.ts", "./src/db/schema-books.ts", "./src/db/schema-connect.ts", "./src/db/schema-alerts.ts"], out: "./drizzle" });
