// What the Temporal worker bundles: every workflow of Reelkit.
export { delivery } from './delivery.ts';
export { fleet } from './fleet.ts';
export { recording } from './recording.ts';
