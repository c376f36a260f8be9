/**
 * Writes all mutants of a file into it at once, each behind a question with its number: `a < b` becomes
 * `(__mutant(17) ? (a <= b) : (a < b))`. So the tree is prepared once, and a mutant is a run of the tests with a number.
 */

import type { Node, SourceFile } from "typescript/unstable/ast";
import {
  isBinaryExpression,
  isCallExpression,
  isDefaultClause,
  isElementAccessExpression,
  isExportDeclaration,
  isExpressionStatement,
  isHeritageClause,
  isImportDeclaration,
  isInterfaceDeclaration,
  isNonNullExpression,
  isPropertyAccessExpression,
  isPropertyAssignment,
  isSatisfiesExpression,
  isStatement,
  isTypeAliasDeclaration,
  isTypeNode,
} from "typescript/unstable/ast/is";
import { API } from "typescript/unstable/async";
import { type Change, changesOf } from "./mutation-mutants.ts";

export type Mutant = {
  /** Its number in this run. */
  readonly id: number;
  readonly file: string;
  readonly line: number;
  readonly kind: string;
  /** The line as it is, and as the mutant has it; of what spans several lines the first. */
  readonly original: string;
  readonly mutated: string;
};

export type InstrumentedFile = { readonly path: string; readonly text: string; readonly mutants: readonly Mutant[] };

/** Instruments files of a checkout; the numbers of the mutants follow from the order of the paths. */
export async function instrumentFiles(top: string, paths: readonly string[]): Promise<InstrumentedFile[]> {
  const api = new API({ cwd: top });
  try {
    const snapshot = await api.updateSnapshot({ openProjects: [`${top}/tsconfig.json`] });
    const [project] = snapshot.getProjects();
    let nextId = 0;
    const files: InstrumentedFile[] = [];
    for (const path of paths) {
      const source = await project?.program.getSourceFile(`${top}/${path}`);
      if (source === undefined) throw new Error(`${path} is no part of the project in ${top}/tsconfig.json`);
      const file = instrument(source, path, nextId);
      nextId += file.mutants.length;
      files.push(file);
    }
    return files;
  } finally {
    await api.close();
  }
}

function instrument(source: SourceFile, path: string, firstId: number): InstrumentedFile {
  const mutants: Mutant[] = [];
  return { path, text: renderInside(source, 0), mutants };

  function render(node: Node): string {
    if (!isMutable(node)) return node.getText(source);
    const choices = (isOpenChain(node) ? [] : changesOf(node)).map((change) => ({ change, id: record(node, change) }));
    const inside = renderInside(node, node.getStart(source));
    if (isStatement(node)) return choices.reduce((text, { id }) => `{ if (!__mutant(${id})) ${text} }`, inside);
    const alternatives = choices.map(({ change, id }) => `__mutant(${id}) ? (${change.text}) : `);
    return alternatives.length === 0 ? inside : `(${alternatives.join("")}(${inside}))`;
  }

  function renderInside(node: Node, start: number): string {
    let text = "";
    let done = start;
    node.forEachChild((child) => {
      text += source.text.slice(done, child.getStart(source)) + render(child);
      done = child.end;
    });
    return text + source.text.slice(done, node.end);
  }

  function record(node: Node, change: Change): number {
    const id = firstId + mutants.length;
    const [start, end] = [node.getStart(source), node.end];
    const lineStart = source.text.lastIndexOf("\n", start) + 1;
    const nextBreak = source.text.indexOf("\n", end);
    const head = source.text.slice(lineStart, start);
    const tail = source.text.slice(end, nextBreak === -1 ? undefined : nextBreak);
    mutants.push({
      id,
      file: path,
      line: source.text.slice(0, start).split("\n").length,
      kind: change.kind,
      original: firstLine(`${head}${source.text.slice(start, end)}${tail}`),
      mutated: firstLine(`${head}${change.text}${tail}`),
    });
    return id;
  }
}

const firstLine = (text: string): string => {
  const [first, ...others] = text.trim().split("\n");
  return others.length === 0 ? `${first}` : `${first} …`;
};

/** Whether a mutant may be made of a node, or of anything in it. Types are no code, and a name is no value. */
function isMutable(node: Node): boolean {
  if (isTypeNode(node) || isHeritageClause(node)) return false;
  if (isTypeAliasDeclaration(node) || isInterfaceDeclaration(node)) return false;
  if (isImportDeclaration(node) || isExportDeclaration(node)) return false;
  if (isPropertyAssignment(node.parent) && node.parent.name === node) return false;
  if (isBinaryExpression(node.parent) && node.parent.left === node && isAssignment(node.parent)) return false;
  // The types prove that nothing comes there.
  return !(isDefaultClause(node) && node.statements.some(isUnreachable));
}

const isAssignment = (node: Node): boolean =>
  isBinaryExpression(node) && /^(?:[^=!<>]|<<|>>>?)?=$|^(?:\*\*|&&|\|\||\?\?)=$/.test(node.operatorToken.getText());

const isUnreachable = (statement: Node): boolean =>
  statement.forEachChild((child) => isSatisfiesExpression(child) && child.getText().endsWith("satisfies never")) ??
  false;

/** A link of a chain with `?.` in it that goes on: in brackets of its own, what follows would not be skipped any more. */
function isOpenChain(node: Node): boolean {
  const { parent } = node;
  if (isExpressionStatement(parent)) return false;
  const goesOn =
    (isPropertyAccessExpression(parent) || isElementAccessExpression(parent) || isNonNullExpression(parent)) &&
    parent.expression === node;
  const isCalled = isCallExpression(parent) && parent.expression === node;
  return (goesOn || isCalled) && node.getText().includes("?.");
}
