// Walks through OAuth, describe, paged queries, bulk queries and writes with jsforce and
// prints what it saw as one JSON object. Argument: a JSON object with
// {url, clientId, clientSecret, redirectUri, username}.
'use strict';
const jsforce = require('jsforce');
const bulk2 = require('jsforce/lib/api/bulk2');

async function consent(authorizeUrl, username) {
  const page = await (await fetch(authorizeUrl)).text();
  const attempt = /name="attempt" value="([0-9a-f]+)"/.exec(page)[1];
  const answer = await fetch(new URL('/services/oauth2/authorize', authorizeUrl), {
    method: 'POST',
    redirect: 'manual',
    body: new URLSearchParams({ attempt, username, decision: 'allow' }),
  });
  return new URL(answer.headers.get('location'));
}

async function main() {
  const given = JSON.parse(process.argv[2]);
  const out = {};
  const oauth2 = new jsforce.OAuth2({
    loginUrl: given.url,
    clientId: given.clientId,
    clientSecret: given.clientSecret,
    redirectUri: given.redirectUri,
    useVerifier: true,
  });
  const back = await consent(oauth2.getAuthorizationUrl({ scope: 'api refresh_token', state: 'st' }), given.username);
  out.state = back.searchParams.get('state');

  const conn = new jsforce.Connection({ oauth2, version: '66.0' });
  let refreshed = 0;
  conn.on('refresh', () => { refreshed++; });
  const user = await conn.authorize(back.searchParams.get('code'));
  out.user = user.id;
  out.org = user.organizationId;
  out.hasRefreshToken = Boolean(conn.refreshToken);
  const me = await conn.identity();
  out.username = me.username;

  const global = await conn.describeGlobal();
  out.objects = global.sobjects.map((o) => o.name);
  const described = await conn.describe('EmailMessage');
  out.fields = described.fields.map((f) => f.name);

  out.messages = [];
  let pages = 0;
  let page = await conn.query('SELECT Id, Subject, TextBody, Incoming, SystemModstamp, Parent.CaseNumber FROM EmailMessage ORDER BY SystemModstamp, Id');
  for (;;) {
    pages++;
    out.messages.push(...page.records.map((r) => [r.Id, r.Subject, r.TextBody, r.Incoming, r.SystemModstamp, r.Parent && r.Parent.CaseNumber]));
    if (page.done) break;
    page = await conn.queryMore(page.nextRecordsUrl);
  }
  out.pages = pages;
  out.totalSize = page.totalSize;
  const fetched = await conn.query('SELECT Id FROM EmailMessage').run({ autoFetch: true, maxFetch: 1000000 });
  out.fetched = fetched.records.map((r) => r.Id);
  out.count = (await conn.query('SELECT COUNT() FROM EmailMessage')).totalSize;

  conn.bulk2.pollInterval = 50;
  const bulk = await conn.bulk2.query('SELECT Id, Subject, TextBody, Incoming, SystemModstamp, Parent.CaseNumber FROM EmailMessage');
  out.bulk = (await bulk.toArray()).map((r) => [r.Id, r.Subject, r.TextBody, r.Incoming, r.SystemModstamp, r['Parent.CaseNumber']]);
  const job = new bulk2.QueryJobV2(conn, {
    bodyParams: { query: 'SELECT Id FROM EmailMessage', operation: 'queryAll', columnDelimiter: 'COMMA', lineEnding: 'LF' },
    pollingOptions: { pollInterval: 50, pollTimeout: 10000 },
  });
  await job.open();
  await job.poll();
  out.bulkJob = job.getInfo();
  // Page by page: job.result() lets the streams of several pages run into each other.
  out.bulkPaged = [];
  for (let at = ''; at !== 'null'; at = job.locator) {
    const query = '?maxRecords=1000' + (at ? '&locator=' + at : '');
    const rows = await job.createQueryRequest({ method: 'GET', path: '/' + job.id + '/results' + query, headers: { Accept: 'text/csv' } });
    out.bulkPaged.push(rows.map((r) => r.Id));
  }
  await job.delete();
  try {
    await job.check();
  } catch (e) {
    out.bulkGone = e.errorCode;
  }
  try {
    await conn.bulk2.query('SELECT Id, MailingAddress FROM Contact');
  } catch (e) {
    out.bulkRefused = e.errorCode;
  }

  const made = await conn.sobject('Case').create({ Subject: 'by jsforce', Priority: 'High' });
  out.made = made;
  await conn.sobject('Case').update({ Id: made.id, Status: 'Working' });
  out.changed = await conn.sobject('Case').retrieve(made.id);
  const found = await conn.sobject('Case').find({ Subject: 'by jsforce' }, ['Id', 'Status']);
  out.found = found.map((r) => r.Status);
  const doomed = await conn.sobject('Case').create({ Subject: 'to be deleted' });
  await conn.sobject('Case').destroy(doomed.id);
  out.gone = doomed.id;

  await fetch(given.url + '/_sim/sessions/kill', { method: 'POST', body: JSON.stringify({ username: given.username }) });
  out.countAfterKill = (await conn.query('SELECT COUNT() FROM EmailMessage')).totalSize;
  out.refreshed = refreshed;

  try {
    await conn.query('SELECT Nope FROM Case');
  } catch (e) {
    out.error = { code: e.errorCode, message: e.message };
  }
  out.limitInfo = conn.limitInfo;
  await conn.logout(true);
  try {
    await oauth2.refreshToken(conn.refreshToken);
  } catch (e) {
    out.afterLogout = e.message;
  }
  process.stdout.write(JSON.stringify(out));
}

main().catch((e) => {
  process.stderr.write(String(e && e.stack || e));
  process.exit(1);
});
