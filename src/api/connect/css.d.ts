// Imported with `{ type: "text" }`: the stylesheet itself, in a checkout and inside the compiled program.
declare module "*/page.css" {
  const text: string;
  export default text;
}
