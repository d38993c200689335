// What the Temporal worker of this process may do, put together from the configuration.

export function createServiceActivities(): object {
  return {};
}
