import { render } from "preact";
import { App } from "./parts/app";
import { chosenJob, follow } from "./state";
import "./theme";

// The server has turned the token of the address into a cookie: it need not stay in the history.
if (new URLSearchParams(location.search).has("token")) history.replaceState(null, "", location.pathname + location.hash);
chosenJob.value = location.hash.slice(1) || null;
follow();
render(<App />, document.getElementById("studio")!);
