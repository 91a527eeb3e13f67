// The former system's own side: keys, ciphers and the SQLite file, made by Node as Prisma's users made them.
// Reads {databases: [...]} from standard input; a database without a file is printed as JSON rows.
const crypto = require('crypto');

const KEYS = {
  hex: (given) => Buffer.from(given, 'hex'),
  base64: (given) => Buffer.from(given, 'base64'),
  raw: (given) => Buffer.from(given),
  sha256: (given) => crypto.createHash('sha256').update(given).digest(),
  scrypt: (given) => crypto.scryptSync(given, 'salt', 32),
  pad: (given) => Buffer.from(given.padEnd(32, '0').slice(0, 32)),
};

const LAYOUTS = {
  'hex:hex': (iv, text) => `${iv.toString('hex')}:${text.toString('hex')}`,
  'base64:base64': (iv, text) => `${iv.toString('base64')}:${text.toString('base64')}`,
  'base64url:base64url': (iv, text) => `${iv.toString('base64url')}:${text.toString('base64url')}`,
  'hex:base64': (iv, text) => `${iv.toString('hex')}:${text.toString('base64')}`,
  hex: (iv, text) => Buffer.concat([iv, text]).toString('hex'),
  base64: (iv, text) => Buffer.concat([iv, text]).toString('base64'),
  'json hex': (iv, text) => JSON.stringify({iv: iv.toString('hex'), content: text.toString('hex')}),
  'json base64': (iv, text) => JSON.stringify({iv: iv.toString('base64'), encryptedData: text.toString('base64')}),
};

function encrypt(key, layout, text) {
  const iv = crypto.randomBytes(16);
  const cipher = crypto.createCipheriv('aes-256-cbc', key, iv);
  return LAYOUTS[layout](iv, Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]));
}

// {encrypt: text} is encrypted, {foreign: text} with a key of another system; all else is stored as it is.
function stored(value, key, layout) {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return value;
  return encrypt(value.foreign ? crypto.randomBytes(32) : key, layout, value.foreign || value.encrypt);
}

function write(database, rows) {
  const Database = require('better-sqlite3');
  const file = new Database(database.file);
  const types = database.columns.map(([name, type]) => `"${name}" ${type}`);
  file.exec(`CREATE TABLE "${database.table}" (${types.join(', ')})`);
  const insert = file.prepare(`INSERT INTO "${database.table}" VALUES (${types.map(() => '?').join(', ')})`);
  file.transaction(() => rows.forEach((row) => insert.run(row)))();
  file.close();
}

const chunks = [];
process.stdin.on('data', (chunk) => chunks.push(chunk));
process.stdin.on('end', () => {
  const printed = JSON.parse(Buffer.concat(chunks).toString()).databases.map((database) => {
    const key = KEYS[database.key](database.given);
    const rows = database.rows.map((row) => row.map((value) => stored(value, key, database.layout)));
    if (!database.file) return rows;
    write(database, rows);
    return [];
  });
  process.stdout.write(JSON.stringify(printed));
});
