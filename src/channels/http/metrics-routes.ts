import type { FastifyInstance } from 'fastify';

export interface MetricsText {
  readonly contentType: string;
  text(): Promise<string>;
}

/** For Prometheus, whose token needs the scope "metrics" and no other. */
export function addMetricsRoutes(application: FastifyInstance, metrics: MetricsText): void {
  application.get('/metrics', async (_request, reply) => {
    reply.type(metrics.contentType);
    return metrics.text();
  });
}
