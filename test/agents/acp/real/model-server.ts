import { writeFileSync } from 'node:fs';
import { MockModel } from '../../../support/mock-model/mock-model.js';

/** A program that serves the model of the tests, and writes its address to the file that is its argument. */
const [file = ''] = process.argv.slice(2);
void MockModel.listen().then((model) => writeFileSync(file, model.origin));
