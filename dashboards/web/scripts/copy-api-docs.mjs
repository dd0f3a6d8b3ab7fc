// Puts the viewer of the API's documentation beside the built pages, so that /docs needs no internet.
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
