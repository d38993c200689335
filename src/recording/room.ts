// A room is its sid: one that was closed and is opened again under its name is another room, with other people in it. Pure.

/**
 * @param bound the sid of the room that is recorded; absent while no room of that name was seen yet
 * @param now the sid of the room that has the name now; absent: there is none
 */
export function isTheRoom(bound: string | undefined, now: string | undefined): boolean {
  return now !== undefined && (bound === undefined || bound === now);
}
