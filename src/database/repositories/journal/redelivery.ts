/** An entry that was neither delivered nor failed after this time, its claimer being dead, is given out again. */
export const VISIBILITY_SECONDS = 60;

const FIRST_DELAY_SECONDS = 1;
const MAXIMUM_DELAY_SECONDS = 300;

/**
 * SQL of the delay before another try, an interval drawn from the upper half of a bound that doubles with each failure.
 * @param failures SQL of their number so far, from 1 on
 */
export const delayAfter = (failures: string): string =>
  `make_interval(secs => (0.5 + random() / 2) * least(${MAXIMUM_DELAY_SECONDS}::float8, ${FIRST_DELAY_SECONDS} * power(2, least(${failures} - 1, 30))))`;
