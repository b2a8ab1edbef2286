// The CLI's own API in one process: removes the users whose ids come in, line by line, and says what became of each.
import { createInterface } from 'node:readline';

import { executeCommand } from '@pnp/cli-microsoft365';

for await (const id of createInterface({ input: process.stdin })) {
  let removed = true;
  try {
    await executeCommand('entra user remove', { id, force: true });
  } catch {
    removed = false;
  }
  process.stdout.write(`${JSON.stringify({ id, removed })}\n`);
}
