// Writes the workflow bundle, workflows.bundle.js, beside the compiled code, so that the service in the image starts without building it.
// Run from the checkout after `npm run build`: node --import tsx deploy/bundle-workflows.mjs [folder]
import { join } from 'node:path';
import { bundleTo } from '../src/workflow-bundle.ts';

const folder = process.argv[2] ?? 'dist';
await bundleTo(join(folder, 'workflows.bundle.js'));
