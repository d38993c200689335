// What workflows tell the metrics of the process they run in: never during replay, and without any Temporal action.
import { proxySinks, type Sinks } from '@temporalio/workflow';

/** What the time from the request until a recording became ACTIVE was spent on. */
export interface SpentTime {
  queueMs: number;
  startMs: number;
}

export interface MeasureSinks extends Sinks {
  measures: { started(spent: SpentTime): void };
}

export const { measures } = proxySinks<MeasureSinks>();
