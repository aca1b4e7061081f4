import { context, ROOT_CONTEXT, type Span, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import type { OpenSpan, Spans, Telemetry } from './spans.ts';

/**
 * Spans by OpenTelemetry, sent in batches to a collector. One that is away costs nobody time: what it does not take is dropped.
 * Of a failure only the kind is told, since a message may quote what somebody typed.
 */
export function openTelemetry({ endpoint, service, share, trustsCallers }: Telemetry): Spans {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ 'service.name': service }),
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(share) }),
    spanProcessors: [
      new BatchSpanProcessor({
        exporter: new OTLPTraceExporter({
          url: `${endpoint.replace(/\/+$/, '')}/v1/traces`,
          timeoutMillis: 5_000,
        }),
      }),
    ],
  });
  const tracer = provider.getTracer('sallyport');

  const during = <Result>(
    span: Span,
    parent: typeof ROOT_CONTEXT,
    work: (open: OpenSpan) => Promise<Result>,
  ) =>
    context.with(trace.setSpan(parent, span), async () => {
      const failed = () => void span.setStatus({ code: SpanStatusCode.ERROR });
      try {
        return await work({
          tell: (attributes, name) => {
            span.setAttributes({ ...attributes });
            if (name !== undefined) span.updateName(name);
          },
          failed,
        });
      } catch (error) {
        failed();
        span.setAttribute('error.type', kindOf(error));
        throw error;
      } finally {
        span.end();
      }
    });

  return {
    first: (name, attributes, work, headers = {}) => {
      const parent = trustsCallers ? told(headers.traceparent) : ROOT_CONTEXT;
      const kind = name === 'request' ? SpanKind.SERVER : SpanKind.INTERNAL;
      return during(tracer.startSpan(name, { kind, attributes: { ...attributes } }, parent), parent, work);
    },
    inner: (name, attributes, work, kind = 'internal') => {
      const parent = context.active();
      if (!trace.getSpan(parent)) return work();
      const span = tracer.startSpan(
        name,
        { kind: kind === 'client' ? SpanKind.CLIENT : SpanKind.INTERNAL, attributes: { ...attributes } },
        parent,
      );
      return during(span, parent, work);
    },
    current: () => trace.getActiveSpan()?.spanContext().traceId ?? null,
    close: async () => {
      await provider.shutdown().catch(() => {});
      context.disable();
    },
  };
}

/** W3C Trace Context, level 1: version 00, trace, parent, flags. */
function told(traceparent: unknown): typeof ROOT_CONTEXT {
  const parts = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})$/.exec(
    String(traceparent),
  );
  if (!parts) return ROOT_CONTEXT;
  const [, traceId = '', spanId = '', flags = '00'] = parts;
  return trace.setSpanContext(ROOT_CONTEXT, {
    traceId,
    spanId,
    traceFlags: Number.parseInt(flags, 16) & 1,
    isRemote: true,
  });
}

function kindOf(error: unknown): string {
  const { code, name } = (error ?? {}) as { code?: unknown; name?: unknown };
  return String(code ?? name ?? 'unknown').slice(0, 60);
}
