// The task queue for work that needs ffmpeg, beside the one that the configuration names.

export function mediaTaskQueue(taskQueue: string): string {
  return `${taskQueue}-media`;
}
