// Writes a TypeScript module for each JSON Schema below a directory.
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { compileFromFile } from "json-schema-to-typescript";

const [schemas, directory] = process.argv.slice(2);
for (const name of readdirSync(schemas, { recursive: true })) {
  if (!name.includes("/") || !name.endsWith(".json")) continue;
  const file = join(directory, name.replace(/\.json$/, ".ts"));
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, await compileFromFile(join(schemas, name), { additionalProperties: false }));
}
