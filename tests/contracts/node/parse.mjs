// Reads AsyncAPI documents with the official parser; prints what it has to say of each, as JSON.
import { Parser, fromFile } from "@asyncapi/parser";

const told = {};
for (const file of process.argv.slice(2)) {
  const { document, diagnostics } = await fromFile(new Parser(), file).parse();
  told[file] = {
    isRead: document !== undefined,
    diagnostics: diagnostics.map(({ severity, code, message, path }) => ({ severity, code, message, path })),
    replies: document?.operations().all().filter((operation) => operation.reply()).map((operation) => ({
      operation: operation.id(),
      channel: operation.reply().channel().id(),
      messages: operation.reply().messages().all().map((message) => message.name()),
    })),
  };
}
console.log(JSON.stringify(told));
