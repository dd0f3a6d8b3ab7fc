import { svelte } from '@sveltejs/vite-plugin-svelte';
import { env } from 'node:process';
import { defineConfig } from 'vitest/config';

// The pages are written straight into the package, so an editable install serves them too.
// Nothing is inlined: the service's Content-Security-Policy allows files of its own only.
export default defineConfig({
  plugins: [svelte()],
  base: './',
  build: {
    outDir: '../../src/minewatch/serve/static',
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: 'es2022',
  },
  worker: { format: 'es' },
  server: { proxy: { '/api': env['MINEWATCH_API'] ?? 'http://127.0.0.1:8080' } },
  test: { include: ['src/**/*.test.ts'], environment: 'node' },
});
