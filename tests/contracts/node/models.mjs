// Writes the TypeScript types that a generator of models makes of an AsyncAPI document; prints their names, as JSON.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { TypeScriptGenerator } from "@asyncapi/modelina";

const [document, directory] = process.argv.slice(2);
const generator = new TypeScriptGenerator({ modelType: "interface", enumType: "union", rawPropertyNames: true });
const models = await generator.generateCompleteModels(JSON.parse(readFileSync(document, "utf-8")), {
  moduleSystem: "ESM",
  exportType: "named",
});
mkdirSync(directory, { recursive: true });
for (const { modelName, result } of models) writeFileSync(`${directory}/${modelName}.ts`, result);
console.log(JSON.stringify(models.map(({ modelName }) => modelName)));
