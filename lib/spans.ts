/** What is said of a piece of work: of kinds and counts, never of a person. */
export type Attributes = Readonly<Record<string, string | number>>;

export interface OpenSpan {
  /** What became known on the way; `name` replaces the span's own. */
  tell(attributes: Attributes, name?: string): void;
  /** It is not what was hoped for. */
  failed(): void;
}

/** Pieces of work as an operator sees them in a trace. */
export interface Spans {
  /** The first of a trace, or the next of the one that `headers` (W3C Trace Context) tell of. */
  first<Result>(
    name: string,
    attributes: Attributes,
    work: (span: OpenSpan) => Promise<Result>,
    headers?: Readonly<Record<string, unknown>>,
  ): Promise<Result>;
  /** Within another. Where there is none, the work is done and nothing is said. */
  inner<Result>(
    name: string,
    attributes: Attributes,
    work: () => Promise<Result>,
    kind?: 'client' | 'internal',
  ): Promise<Result>;
  /** The trace that the work under way belongs to, as 32 hexadecimal digits. */
  current(): string | null;
  /** Sends what is left. */
  close(): Promise<void>;
}

export interface Telemetry {
  /** Where a collector takes OTLP over HTTP, as `http://127.0.0.1:4318`. */
  readonly endpoint: string;
  readonly service: string;
  /** The share of traces that begin here and are kept, from 0 to 1. */
  readonly share: number;
  /** Whether a trace that a request tells of is continued: whoever asks decides then what is kept. */
  readonly trustsCallers: boolean;
}

const nothing: OpenSpan = { tell: () => {}, failed: () => {} };

/** Where nobody looks at traces. */
export const noSpans: Spans = {
  first: (_name, _attributes, work) => work(nothing),
  inner: (_name, _attributes, work) => work(),
  current: () => null,
  close: async () => {},
};
