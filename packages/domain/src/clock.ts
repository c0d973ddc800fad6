/** The port to time, so that expiry and age can be tested and simulated. */
export interface Clock {
  now(): Date;
}
