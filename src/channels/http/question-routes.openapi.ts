import { z } from 'zod';
import type { Operation } from './openapi/operation.js';
import { page } from './openapi/parameters.js';
import { pageOf } from './openapi/parts.js';
import { describeMembers } from './openapi/schemas.js';
import { question } from './openapi/views.js';
import { questionBody } from './request-schema.js';

describeMembers(questionBody, { answer: 'The answer. A code takes one.' });
z.globalRegistry.add(questionBody, { id: 'QuestionAnswer', description: 'The answer to a question.' });

const questionPage = pageOf(question, 'A page of questions.').meta({ id: 'QuestionPage' });

const byCode = {
  code: z.string().meta({ description: 'The code of the question.', examples: ['K7QM2XHD'] }),
};

export const questionOperations: readonly Operation[] = [
  {
    method: 'GET',
    url: '/v1/questions',
    id: 'listQuestions',
    tag: 'Questions',
    summary: 'List the questions of the last week, in the order of their codes',
    query: page,
    answers: { 200: { description: 'A page of them.', content: { 'application/json': questionPage } } },
  },
  {
    method: 'GET',
    url: '/v1/questions/:code',
    id: 'getQuestion',
    tag: 'Questions',
    summary: 'Look at a question',
    path: byCode,
    answers: { 200: { description: 'The question.', content: { 'application/json': question } } },
    problems: ['unknown-question'],
  },
  {
    method: 'POST',
    url: '/v1/questions/:code',
    id: 'answerQuestion',
    tag: 'Questions',
    summary: 'Answer a question',
    path: byCode,
    body: {
      required: true,
      content: { 'application/json': questionBody },
      examples: { allow: { answer: 'allow' }, deny: { answer: 'deny' } },
    },
    answers: {
      200: { description: 'The answered question.', content: { 'application/json': question } },
    },
    problems: ['unknown-question', 'question-closed'],
  },
];
