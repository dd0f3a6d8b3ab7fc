// Prints what the control room loads, compressed, and fails above the budget (fonts and the API's docs page excluded).
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const BUDGET_KB = 150;
const out = join(dirname(fileURLToPath(import.meta.url)), '../../../src/minewatch/serve/static');
let total = 0;
for (const name of readdirSync(out, { recursive: true }).map(String).sort()) {
  if (name.startsWith('docs') || !/\.(js|css|html|svg)$/.test(name)) continue;
  const kb = gzipSync(readFileSync(join(out, name)), { level: 9 }).length / 1000;
  total += kb;
  console.log(`${kb.toFixed(1).padStart(7)} kB gz  ${name}`);
}
console.log(`${total.toFixed(1).padStart(7)} kB gz  in all (budget ${BUDGET_KB})`);
process.exit(total <= BUDGET_KB ? 0 : 1);
