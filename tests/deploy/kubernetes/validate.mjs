// Reads YAML files and holds every Kubernetes object in them against the schema of its kind.
//
//   validate.mjs DIRECTORY FILE...   (in a directory with the packages of deploy_kubernetes.py)
//
// Two looks at each: the validators made from the cluster's OpenAPI description (types, formats,
// what is required), and TypeScript's view of the same (which refuses keys that do not exist).
// Prints the objects as JSON, by file; exits 1 with a line for every problem.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const [directory, ...files] = process.argv.slice(2);
const require = createRequire(join(directory, "package.json"));
const YAML = require("yaml");
const problems = [];
const objects = {};
let program = "";

function moduleOf({ apiVersion, kind }) {
  const operator = apiVersion.startsWith("monitoring.coreos.com/");
  const name = operator ? "@kubernetes-models/prometheus-operator" : "kubernetes-models";
  return `${name}/${apiVersion}/${kind}`;
}

for (const file of files) {
  objects[file] = [];
  for (const document of YAML.parseAllDocuments(readFileSync(file, "utf8"))) {
    problems.push(...document.errors.map((error) => `${file}: ${error.message}`));
    const object = document.toJS();
    if (object === null) continue;
    objects[file].push(object);
    if (!object.apiVersion || object.apiVersion.startsWith("kustomize")) continue;
    const name = `${file}: ${object.kind} ${object.metadata?.name}`;
    try {
      new (require(moduleOf(object))[object.kind])(object).validate();
    } catch (error) {
      problems.push(`${name}: ${error.message}`);
    }
    const { apiVersion, kind, ...rest } = object;
    program += `{ const { ${kind} } = await import("${moduleOf(object)}");\n` +
      `new ${kind}(${JSON.stringify(rest, null, 1)}); }\n`;
  }
}
writeFileSync(join(directory, "check.mts"), program + "export {};\n");
try {
  execFileSync(process.execPath, [require.resolve("typescript/bin/tsc"), "--noEmit", "--strict",
    "--skipLibCheck", "--target", "es2022", "--module", "nodenext", "check.mts"],
    { cwd: directory, encoding: "utf8" });
} catch (error) {
  const lines = error.stdout.trim().split("\n");
  problems.push(...lines.map((line) => `unknown key or wrong type: ${line}`));
}
if (problems.length > 0) {
  console.error(problems.join("\n"));
  process.exit(1);
}
console.log(JSON.stringify(objects));
