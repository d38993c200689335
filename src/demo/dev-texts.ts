// What `reelkit dev` prints, and the file of export lines it leaves for other terminals. Pure.

export interface Surroundings {
  apiUrl: string;
  webUiUrl: string;
  livekitUrl: string;
  environmentFile: string;
  recordingsDir: string;
  logDir: string;
  rooms: readonly string[];
}

export function welcome(at: Surroundings): string[] {
  const room = at.rooms[0] ?? 'ROOM';
  return [
    '',
    `Reelkit          ${at.apiUrl}`,
    `API docs         ${at.apiUrl}/docs`,
    `Temporal Web UI  ${at.webUiUrl}`,
    `  its payloads   sign in at ${at.apiUrl}/codec/sign-in, then let the UI's codec server include credentials`,
    `LiveKit          ${at.livekitUrl}`,
    `Recordings       ${at.recordingsDir}`,
    `Logs             ${at.logDir}`,
    at.rooms.length > 0
      ? `Speakers in      ${at.rooms.join(', ')}`
      : 'No speakers: --rooms 2 brings two rooms with speakers',
    '',
    'In another terminal:',
    `  . ${at.environmentFile}`,
    `  bin/reelkit record ${room} --max-duration 30s --wait`,
    '  bin/reelkit ls',
    '  bin/reelkit fleet explain',
    '  bin/reelkit doctor',
    `  curl -H "Authorization: Bearer $(bin/reelkit token)" $REELKIT_URL/v1/fleets`,
    '',
    'Ctrl-C ends everything; recordings and their history stay for the next time.',
  ];
}

/** For `.` in any POSIX shell. The mark that finds the stack's processes stays with the stack. */
export function environmentFile(values: Readonly<Record<string, string>>): string {
  const lines = Object.entries(values)
    .filter(([name]) => /^(LIVEKIT_|TEMPORAL_|REELKIT_(URL|CONFIG)$)/.test(name))
    .map(([name, value]) => `export ${name}='${value.replaceAll("'", `'\\''`)}'`);
  return `${lines.join('\n')}\n`;
}
