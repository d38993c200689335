import { describe, expect, it } from 'vitest';
import { CliError, reportFailure, usageError } from '../../../src/cli/errors.ts';
import { describeDecisions, describeFleetView } from '../../../src/cli/fleet.ts';
import { ago, facts, table } from '../../../src/cli/print.ts';
import { buildProgram } from '../../../src/cli/program.ts';
import { recordingBodyOf, recordingTable } from '../../../src/cli/recordings.ts';
import { describeRecords, describeResult } from '../../../src/cli/repair.ts';
import { describeRecording, size } from '../../../src/cli/show-recording.ts';
import { recordingRequestSchema } from '../../../src/recording/request.ts';
import type { RecordingView } from '../../../src/recording/view.ts';

const request = recordingRequestSchema.parse({ source: { type: 'room', room: 'lesson' }, labels: { course: '7' } });
const view: RecordingView = {
  id: 'abc',
  stage: 'waiting',
  fleet: 'default',
  request,
  requestedAtMs: 0,
  startDeadlineMs: 900_000,
  waiting: { for: 'capacity', sinceMs: 1_000, detail: 'no worker is ready' },
  parts: [],
};

describe('record', () => {
  it('asks for a room, leaving to the API what was not given', () => {
    expect(recordingBodyOf('lesson', {})).toEqual({ source: { type: 'room', room: 'lesson' } });
  });

  it('hands on every option in the words of the API', () => {
    const body = recordingBodyOf('lesson', {
      layout: 'grid',
      audioOnly: true,
      path: 'a/{room}',
      storage: 'archive',
      startAt: '2030-01-01T10:00:00Z',
      startWithin: '5m',
      maxDuration: '1h',
      priority: '1',
      fleet: 'small',
      tenant: 'school',
      label: ['course=7', 'note=a=b'],
      webhook: 'https://lms.example.com/hook',
    });
    expect(body).toEqual({
      source: { type: 'room', room: 'lesson', layout: 'grid', audioOnly: true },
      outputs: [{ type: 'file', path: 'a/{room}', storage: 'archive' }],
      startAt: '2030-01-01T10:00:00Z',
      startWithin: '5m',
      maxDuration: '1h',
      priority: 1,
      fleet: 'small',
      tenant: 'school',
      labels: { course: '7', note: 'a=b' },
      webhook: { url: 'https://lms.example.com/hook' },
    });
    expect(recordingRequestSchema.safeParse(body).success).toBe(true);
  });

  it('asks for a participant', () => {
    expect(recordingBodyOf('lesson', { participant: 'teacher' })).toEqual({
      source: { type: 'participant', room: 'lesson', identity: 'teacher' },
    });
  });

  it.each([
    [{ participant: 'teacher', layout: 'grid' }, /--participant/],
    [{ label: ['course'] }, /key=value/],
    [{ label: ['=7'] }, /key=value/],
    [{ priority: 'high' }, /--priority high/],
  ])('refuses %j as wrong usage', (options, message) => {
    expect(() => recordingBodyOf('lesson', options)).toThrow(message);
    expect(() => recordingBodyOf('lesson', options)).toThrow(expect.objectContaining({ exitCode: 2 }));
  });
});

describe('what people read', () => {
  it('a table is as wide as its widest cell, without spaces at the end', () => {
    expect(
      table(
        ['A', 'LONG'],
        [
          ['aaaa', 'b'],
          ['☃', ''],
        ],
      ),
    ).toBe('A     LONG\naaaa  b\n☃\n');
  });

  it('facts leave out what is not known', () => {
    expect(
      facts([
        ['a', '1'],
        ['long', undefined],
        ['bcd', '2'],
      ]),
    ).toBe('  a  1\nbcd  2\n');
  });

  it('a moment ago is just now', () => {
    expect([ago(0, 400), ago(0, 61_000), ago(5_000, 0)]).toEqual(['just now', '1m1s ago', 'just now']);
  });

  it('sizes have a unit', () => {
    expect([0, 999, 1_500, 2_000_000_000_000].map(size)).toEqual(['0 B', '999 B', '1.5 kB', '2000.0 GB']);
  });

  it('a waiting recording says for what, since when and until when', () => {
    const text = describeRecording(view, 61_000);
    expect(text).toContain('waiting  for capacity, since 1m ago: no worker is ready');
    expect(text).toContain('start by  1970-01-01T00:15:00.000Z');
    expect(text).not.toContain('undefined');
  });

  it('one for which nobody publishes says so', () => {
    const parts = [{ number: 1, attempts: 1, egressId: 'EG_1', awaitsMediaSinceMs: 1_000, files: [] }];
    const text = describeRecording({ ...view, stage: 'starting', parts }, 61_000);
    expect(text).toContain('part 1: EG_1: waits for somebody to publish, since 1m ago');
  });

  it('an ended recording says why, and where its files are', () => {
    const text = describeRecording(
      {
        ...view,
        stage: 'completed',
        reason: { code: 'finished', message: 'the room ended' },
        startedAtMs: 2_000,
        endedAtMs: 62_000,
        spent: { queueMs: 1_000, startMs: 1_000 },
        parts: [
          {
            number: 1,
            attempts: 2,
            egressId: 'EG_1',
            files: [
              { location: '/r/a.mp4', filename: 'a.mp4', storage: 'local', sizeBytes: 1_500, durationMs: 60_000 },
            ],
            manifestLocation: '/r/EG_1.json',
            warnings: [{ code: 'backup_storage_used', message: 'fetch it from there' }],
            end: { status: 'COMPLETE', details: 'End reason: Source closed' },
          },
        ],
      } as RecordingView,
      70_000,
    );
    expect(text).toContain('reason  finished: the room ended');
    expect(text).toContain('part 1: EG_1, 2 attempts: COMPLETE, End reason: Source closed');
    expect(text).toContain('/r/a.mp4  1.5 kB, 1m, storage local');
    expect(text).toContain('/r/EG_1.json  manifest of the worker');
    expect(text).toContain('warning backup_storage_used: fetch it from there');
  });

  it('a list shows what each one waits for, and how to see more', () => {
    const text = recordingTable(
      {
        recordings: [
          {
            id: 'abc',
            stage: 'waiting',
            waitingFor: 'capacity',
            fleet: 'default',
            source: 'room',
            room: 'lesson',
            priority: 1,
            labels: { course: '7' },
            costCores: 4,
            requestedAtMs: 0,
          },
        ],
        nextPageToken: 'tok',
      },
      5_000,
    );
    expect(text).toContain('abc  waiting for capacity  lesson  1');
    expect(text).toContain('reelkit ls --page-token tok');
    expect(recordingTable({ recordings: [] }, 0)).toBe('no recordings\n');
  });

  it('a fleet shows workers, demand, capacity, its last decision, and what could not be asked', () => {
    const text = describeFleetView(
      {
        name: 'default',
        provider: 'process',
        minWorkers: 0,
        maxWorkers: 3,
        workers: [
          { id: 'w1', state: 'ready', busy: true, egressIds: ['EG_1'], cpuCores: 4, owned: true, launchedAtMs: 0 },
          { id: 'w2', state: 'booting', busy: false, egressIds: [], cpuCores: 4, owned: true, launchedAtMs: 0 },
        ],
        demandCores: 8,
        capacityCores: 8,
        recordings: { recording: 1, waiting: 1, stopping: 0 },
        decisions: [{ pass: 2, atMs: 0, line: 'launch 1: 1 waits' }],
        bootsMs: [],
        problems: ['decisions: no Temporal worker'],
      },
      5_000,
    );
    expect(text).toContain('w1      ready    1 egresses  4      5s ago');
    expect(text).toContain('1 recording, 1 waiting\n');
    expect(text).toContain('launch 1: 1 waits');
    expect(text).toContain('! decisions: no Temporal worker');
    expect(describeDecisions([])).toContain('no pass');
  });
});

describe('how commands fail', () => {
  it.each([
    [new CliError('it failed', ['do this']), 1, 'reelkit: it failed\n  -> do this\n'],
    [usageError('called wrongly', 'call it so'), 2, 'reelkit: called wrongly\n  -> call it so\n'],
    [Object.assign(new Error('port is wrong'), { name: 'ConfigError' }), 2, 'reelkit: port is wrong\n'],
  ])('%s', (error, code, text) => {
    let written = '';
    expect(
      reportFailure(error, (more) => {
        written += more;
      }),
    ).toBe(code);
    expect(written).toBe(text);
  });
});

describe('the help', () => {
  const commands = () => {
    const program = buildProgram();
    return [program, ...program.commands, ...program.commands.flatMap(({ commands }) => commands)];
  };

  it('exists for every command and every option', () => {
    for (const command of commands()) {
      expect(command.description(), command.name()).not.toBe('');
      for (const option of command.options)
        expect(option.description, `${command.name()} ${option.flags}`).not.toBe('');
    }
  });

  it.each([
    [['nonsense'], 'commander.unknownCommand'],
    [['record'], 'commander.missingArgument'],
    [['ls', '--nonsense'], 'commander.unknownOption'],
  ])('follows on %j', async (args, code) => {
    const program = buildProgram();
    for (const command of [program, ...program.commands]) command.configureOutput({ writeErr: () => {} });
    await expect(program.parseAsync(['node', 'reelkit', ...args])).rejects.toMatchObject({ code });
  });
});

describe('repair', () => {
  const shows = { name: 'room', shows: true, says: 'EG_a is in it' } as const;
  const denies = { name: 'workflow', shows: false, says: 'no recording' } as const;
  const record = { egressId: 'EG_a', status: 'EGRESS_ACTIVE', room: 'lesson', changedAtMs: 0 };
  const ghost = {
    ...record,
    verdict: 'nobody',
    witnesses: [denies],
    end: { status: 'EGRESS_FAILED', error: '' },
  } as const;

  it('shows what would happen to each record, and the witnesses of what would end', () => {
    const living = { ...record, egressId: 'EG_b', verdict: 'somebody' as const, witnesses: [denies, shows] };
    const young = { ...record, egressId: 'EG_c', verdict: 'recent' as const, witnesses: [denies] };
    expect(describeRecords([{ ...ghost, witnesses: [denies] }, living, young], 60_000).split('\n')).toEqual([
      'EGRESS  STATUS         ROOM    CHANGED  VERDICT',
      "EG_a    EGRESS_ACTIVE  lesson  1m ago   nobody's: would be EGRESS_FAILED",
      'EG_b    EGRESS_ACTIVE  lesson  1m ago   left alone: room: EG_a is in it',
      'EG_c    EGRESS_ACTIVE  lesson  1m ago   left alone: it changed a moment ago',
      '',
      'The witnesses of what nobody runs:',
      'EG_a: Temporal: no recording',
      '',
    ]);
    expect(describeRecords([], 0)).toBe('every record in LiveKit has ended\n');
  });

  it('says what became of each', () => {
    const end = { ...ghost, witnesses: [denies] };
    expect(describeResult({ ended: [end], left: [{ ...end, egressId: 'EG_b' }], absent: ['EG_c'] })).toBe(
      'EG_a  ended as EGRESS_FAILED\nEG_b  left alone: LiveKit did not take its end\nEG_c  has ended meanwhile\n',
    );
  });
});
