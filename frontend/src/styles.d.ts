// A style sheet that a module imports comes as text (see build.mjs).
declare module "*.css" {
  const text: string;
  export default text;
}
