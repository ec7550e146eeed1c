// Blocks that scroll sideways can be reached by the keyboard.
document.addEventListener("DOMContentLoaded", () => {
  for (const block of document.querySelectorAll("pre, .table-wrapper, .output")) {
    block.tabIndex = 0;
  }
});
