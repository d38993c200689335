// One answer shared by all who ask within a time; failures are not remembered.

export function cached<T>(freshMs: number, read: () => Promise<T>, now: () => number = Date.now): () => Promise<T> {
  let last: { atMs: number; answer: Promise<T> } | undefined;
  return () => {
    if (last && now() - last.atMs < freshMs) return last.answer;
    const answer = read();
    const mine = { atMs: now(), answer };
    last = mine;
    answer.catch(() => {
      if (last === mine) last = undefined;
    });
    return answer;
  };
}
