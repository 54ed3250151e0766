// Writes a bulk query to a CSV file with jsforce. Argument: a JSON object with
// {url, token, version, query, file}. The results are asked for in small pages. A page that
// Salesforce chooses itself, as conn.bulk2.query() gets it, is not possible at this size:
// jsforce 3.9.5 copies what it has of an answer with every piece that arrives (15 MB take 30 s
// here), and Node has no strings above half a gigabyte.
'use strict';
const fs = require('fs');
const { Transform } = require('stream');
const { pipeline } = require('stream/promises');
const jsforce = require('jsforce');
const { QueryJobV2 } = require('jsforce/lib/api/bulk2');

// Drops the first line, the header, of all pages but the first.
function withoutHeader() {
  let dropped = false;
  return new Transform({
    transform(chunk, _, done) {
      if (dropped) return done(null, chunk);
      const end = chunk.indexOf(10);
      if (end < 0) return done();
      dropped = true;
      done(null, chunk.subarray(end + 1));
    },
  });
}

async function main() {
  const given = JSON.parse(process.argv[2]);
  const conn = new jsforce.Connection({ instanceUrl: given.url, accessToken: given.token, version: given.version });
  const job = new QueryJobV2(conn, {
    bodyParams: { query: given.query, operation: 'query' },
    pollingOptions: { pollInterval: 100, pollTimeout: 600000 },
  });
  await job.open();
  await job.poll();
  for (let at = ''; at !== 'null'; at = job.locator) {
    const page = job.createQueryRequest({
      method: 'GET',
      path: '/' + job.id + '/results?maxRecords=200' + (at ? '&locator=' + at : ''),
      headers: { Accept: 'text/csv' },
    });
    const file = fs.createWriteStream(given.file, { flags: 'a' });
    await (at ? pipeline(page.stream(), withoutHeader(), file) : pipeline(page.stream(), file));
  }
  await job.delete();
}

main().catch((err) => {
  console.error(err);
  process.exit(1);
});
