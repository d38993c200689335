// Run once by `npm run build`: puts the workflow bundle beside the compiled code, so that the image bundles nothing at start.
import { fileURLToPath } from 'node:url';
import { bundleTo } from './workflow-bundle.ts';

await bundleTo(fileURLToPath(new URL('./workflow-bundle.js', import.meta.url)));
