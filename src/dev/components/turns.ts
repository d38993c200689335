// A queue of one: tasks given to it run one after the other, a failed one does not stop the next. Holds no other state.

export type Turn = <T>(task: () => Promise<T>) => Promise<T>;

export function oneAtATime(): Turn {
  let last: Promise<unknown> = Promise.resolve();
  return (task) => {
    const result = last.then(task, task);
    last = result.catch(() => undefined);
    return result;
  };
}
