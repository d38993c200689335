// What the Temporal worker bundles: every workflow of Reelkit.
export { fleet } from './fleet.ts';
export { recording } from './recording.ts';
