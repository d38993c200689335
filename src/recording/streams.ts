// A change of the URLs a recording streams to. Plain data.

/** Full URLs, keys and all: they go into no log. */
export interface StreamChange {
  add: string[];
  remove: string[];
}
