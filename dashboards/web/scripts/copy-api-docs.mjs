// Puts the viewer of the API's documentation beside the built pages, so that /docs needs no internet, and the
// licences of what the pages contain, which go wherever the pages go.
import { copyFileSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const swagger = join(here, '../node_modules/swagger-ui-dist');
const out = join(here, '../../../src/minewatch/serve/static/docs');

mkdirSync(out, { recursive: true });
for (const file of ['swagger-ui.css', 'swagger-ui-bundle.js', 'swagger-ui-bundle.js.LICENSE.txt', 'favicon-32x32.png']) {
  copyFileSync(join(swagger, file), join(out, file));
}
copyFileSync(join(swagger, 'LICENSE'), join(out, 'swagger-ui.LICENSE.txt'));

const licences = join(out, '../licences');
mkdirSync(licences, { recursive: true });
for (const [name, file] of [
  ['svelte', 'svelte/LICENSE.md'],
  ['uplot', 'uplot/LICENSE'],
  ['inter', '@fontsource-variable/inter/LICENSE'],
]) {
  copyFileSync(join(here, '../node_modules', file), join(licences, `${name}.txt`));
}
