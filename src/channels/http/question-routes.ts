import type { FastifyInstance } from 'fastify';
import type { QuestionActions } from '../surroundings.js';
import { Problem } from './problem.js';
import { questionBody } from './request-schema.js';
import { validateBody } from './validate.js';
import { pageOf, pageView, questionView } from './views.js';

type Route = { Params: { code: string } };

/** Routes of the questions that agents ask people before they act. */
export function addQuestionRoutes(application: FastifyInstance, questions: QuestionActions): void {
  application.get('/v1/questions', async (request) => {
    return pageView(await questions.list(pageOf(request.query)), questionView);
  });

  application.get<Route>('/v1/questions/:code', async ({ params }) => {
    return questionView((await questions.question(params.code)) ?? unknownQuestion());
  });

  application.post<Route>('/v1/questions/:code', async ({ params, body }) => {
    const { answer } = validateBody(questionBody, body);
    const { outcome, question } = (await questions.answer(params.code, answer)) ?? unknownQuestion();
    if (outcome === 'answered') return questionView(question);
    const why = question.state === 'expired' ? 'its message has come to its end' : question.state;
    throw new Problem('question-closed', `The question takes no answer any more: ${why}.`);
  });
}

function unknownQuestion(): never {
  throw new Problem('unknown-question', 'No question has this code, or it is kept no longer.');
}
