/** What all tests begin with: the page's words, which it loads before anything is drawn. */

import { english } from "../src/languages/en";
import { useStrings } from "../src/languages/strings";

useStrings(english);
