import tseslint from "typescript-eslint";

const bans = [
  {
    selector: "ThrowStatement > NewExpression[callee.name='Error']",
    message: "Throw a typed error: one of errors.ts, with code, retryable and cause.",
  },
  {
    selector: "TSAsExpression:not([typeAnnotation.typeName.name='const'])",
    message: "Parse with zod or narrow instead of asserting; only `as const` is allowed.",
  },
  {
    selector: "CallExpression[callee.object.name='vi'][callee.property.name='mock']",
    message: "Inject a fake through its port instead of mocking a module.",
  },
];

export default tseslint.config(
  {
    ignores: [
      "dist/**",
      "console/src/styles.d.ts",
      "node_modules/**",
      ".model-deployer/**",
      "**/*.js",
      "**/*.mjs",
    ],
  },
  {
    files: ["**/*.{ts,tsx}"],
    extends: [...tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      "no-restricted-syntax": ["error", ...bans],
      "max-lines": ["error", { max: 220, skipBlankLines: true, skipComments: true }],
      "max-lines-per-function": ["error", { max: 50, skipBlankLines: true, skipComments: true, IIFEs: true }],
      "no-empty": ["error", { allowEmptyCatch: false }],
      eqeqeq: "error",
      "@typescript-eslint/no-explicit-any": "error",
      "@typescript-eslint/no-non-null-assertion": "error",
      "@typescript-eslint/switch-exhaustiveness-check": [
        "error",
        { considerDefaultExhaustiveForUnions: true },
      ],
      "@typescript-eslint/restrict-template-expressions": [
        "error",
        { allowNumber: true, allowBoolean: true },
      ],
      "@typescript-eslint/require-await": "off",
      "@typescript-eslint/no-unused-vars": ["error", { ignoreRestSiblings: true, varsIgnorePattern: "^_" }],
      "@typescript-eslint/consistent-type-imports": "error",
    },
  },
  {
    // A component is mostly its markup, an element a line.
    files: ["console/**/*.tsx"],
    rules: {
      "max-lines-per-function": ["error", { max: 70, skipBlankLines: true, skipComments: true, IIFEs: true }],
    },
  },
  {
    files: ["tests/**/*.ts", "src/testing/contracts/**/*.ts"],
    rules: { "max-lines-per-function": "off" },
  },
);
