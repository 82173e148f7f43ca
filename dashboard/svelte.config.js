// Runes everywhere; no preprocessor but the compiler's own TypeScript.
import { vitePreprocess } from '@sveltejs/vite-plugin-svelte'

export default { preprocess: vitePreprocess({ script: false }), compilerOptions: { runes: true } }
