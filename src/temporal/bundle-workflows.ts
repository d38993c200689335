// Run once by the image's build: puts the workflow bundle beside the compiled code, so that nothing is bundled at start.
import { prebuild } from './workflow-bundle.ts';

await prebuild();
