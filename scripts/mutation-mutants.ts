import type { BinaryExpression, CallExpression, Node, PrefixUnaryExpression } from "typescript/unstable/ast";
import { SyntaxKind } from "typescript/unstable/ast";
import {
  isArrayLiteralExpression,
  isBinaryExpression,
  isCallExpression,
  isConditionalExpression,
  isDoStatement,
  isExpressionStatement,
  isForStatement,
  isIfStatement,
  isNoSubstitutionTemplateLiteral,
  isNumericLiteral,
  isObjectLiteralExpression,
  isPostfixUnaryExpression,
  isPrefixUnaryExpression,
  isPropertyAccessExpression,
  isStringLiteral,
  isTemplateExpression,
  isThrowStatement,
  isWhileStatement,
} from "typescript/unstable/ast/is";

/** What stands in the place of a node in a mutant; an empty text is a statement taken out. */
export type Change = { readonly kind: string; readonly text: string };

const SWAPS: Readonly<Record<string, readonly string[]>> = {
  "<": ["<=", ">="],
  "<=": ["<", ">"],
  ">": [">=", "<="],
  ">=": [">", "<"],
  "===": ["!=="],
  "!==": ["==="],
  "&&": ["||"],
  "||": ["&&"],
  "+": ["-"],
  "-": ["+"],
  "*": ["/"],
  "/": ["*"],
  "%": ["*"],
  "**": ["*"],
  "&": ["|"],
  "|": ["&"],
  "<<": [">>"],
  ">>": ["<<"],
  ">>>": ["<<"],
  "+=": ["-="],
  "-=": ["+="],
  "*=": ["/="],
  "/=": ["*="],
};

const METHOD_SWAPS: Readonly<Record<string, string>> = {
  "Math.min": "Math.max",
  "Math.max": "Math.min",
  "Math.floor": "Math.ceil",
  "Math.ceil": "Math.floor",
  "Math.round": "Math.floor",
};
const MEMBER_SWAPS: Readonly<Record<string, string>> = {
  some: "every",
  every: "some",
  startsWith: "endsWith",
  endsWith: "startsWith",
  find: "findLast",
  findLast: "find",
};
/** Without them, what they were called on is what remains. */
const DROPPED = ["filter", "sort", "toSorted", "reverse", "toReversed", "slice", "trim", "toLowerCase"];

/**
 * What may be made of a node. Every operator, literal, condition and call is changed where the change can be seen in what
 * the code returns. Left alone are sentences (texts with a space): they are words for people, in which the tests hold the
 * numbers and the names.
 */
export function changesOf(node: Node): Change[] {
  const changes: Change[] = [];
  if (isBinaryExpression(node)) changes.push(...changesOfOperator(node));
  if (isPrefixUnaryExpression(node)) changes.push(...changesOfPrefix(node));
  if (isPostfixUnaryExpression(node)) {
    const isRise = node.operator === SyntaxKind.PlusPlusToken;
    changes.push({ kind: "step", text: `${node.operand.getText()}${isRise ? "--" : "++"}` });
  }
  if (isCallExpression(node)) changes.push(...changesOfCall(node));
  if (node.kind === SyntaxKind.TrueKeyword) changes.push({ kind: "boolean", text: "false" });
  if (node.kind === SyntaxKind.FalseKeyword) changes.push({ kind: "boolean", text: "true" });
  if (isNumericLiteral(node)) {
    changes.push({ kind: "number", text: String(Number(node.getText().replaceAll("_", "")) + 1) });
  }
  if ((isPlainText(node) || isTemplateExpression(node)) && !isSentence(node)) {
    changes.push({ kind: "text", text: node.getText().length === 2 ? '"mutant"' : '""' });
  }
  if (isArrayLiteralExpression(node) && node.elements.length > 0) changes.push({ kind: "array", text: "[]" });
  if (isObjectLiteralExpression(node) && node.properties.length > 0) changes.push({ kind: "object", text: "{}" });
  if (isExpressionStatement(node) || isThrowStatement(node) || node.kind === SyntaxKind.ContinueStatement) {
    changes.push({ kind: "statement", text: "" });
  }
  return [...changes, ...forced(node)];
}

/** A condition that is always true, or always false; a loop is not made endless. */
function forced(node: Node): Change[] {
  const { parent } = node;
  const [always, never] = [
    { kind: "condition", text: "true" },
    { kind: "condition", text: "false" },
  ];
  if (isIfStatement(parent) && parent.expression === node) return [always, never];
  if (isConditionalExpression(parent) && parent.condition === node) return [always, never];
  if (node.kind === SyntaxKind.TrueKeyword) return [];
  if ((isWhileStatement(parent) || isDoStatement(parent)) && parent.expression === node) return [never];
  return isForStatement(parent) && parent.condition === node ? [never] : [];
}

function changesOfOperator(node: BinaryExpression): Change[] {
  const [left, right] = [node.left.getText(), node.right.getText()];
  const operator = node.operatorToken.getText();
  if (operator === "+" && [node.left, node.right].some(isTextual)) return [];
  const swapped = (SWAPS[operator] ?? []).map((swap) => ({ kind: "operator", text: `${left} ${swap} ${right}` }));
  const alone = ["&&", "||", "??"].includes(operator) ? [left, right] : [];
  return [...swapped, ...alone.map((text) => ({ kind: "operand", text }))];
}

/** Whether `+` joins texts there. */
function isTextual(node: Node): boolean {
  if (isBinaryExpression(node)) return isTextual(node.left) || isTextual(node.right);
  return isPlainText(node) || isTemplateExpression(node);
}

function changesOfPrefix(node: PrefixUnaryExpression): Change[] {
  const operand = node.operand.getText();
  switch (node.operator) {
    case SyntaxKind.ExclamationToken:
      return [{ kind: "negation", text: operand }];
    case SyntaxKind.MinusToken:
      return [{ kind: "sign", text: operand }];
    case SyntaxKind.PlusPlusToken:
      return [{ kind: "step", text: `--${operand}` }];
    case SyntaxKind.MinusMinusToken:
      return [{ kind: "step", text: `++${operand}` }];
    default:
      return [];
  }
}

function changesOfCall(node: CallExpression): Change[] {
  const callee = node.expression;
  if (!isPropertyAccessExpression(callee)) return [];
  const [whole, receiver, member] = [node.getText(), callee.expression.getText(), callee.name.getText()];
  const rest = whole.slice(callee.getText().length);
  const swapped = METHOD_SWAPS[callee.getText()];
  if (swapped !== undefined) return [{ kind: "method", text: swapped + rest }];
  const between = callee.getText().slice(receiver.length, -member.length);
  const sibling = Object.hasOwn(MEMBER_SWAPS, member) ? MEMBER_SWAPS[member] : undefined;
  if (sibling !== undefined) return [{ kind: "method", text: receiver + between + sibling + rest }];
  return DROPPED.includes(member) ? [{ kind: "method", text: receiver }] : [];
}

const isPlainText = (node: Node) => isStringLiteral(node) || isNoSubstitutionTemplateLiteral(node);

function isSentence(node: Node): boolean {
  return node
    .getText()
    .replace(/\$\{[^}]*\}/g, "")
    .includes(" ");
}
