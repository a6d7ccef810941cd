// The checkout has ended in its frame: the shop takes the whole page again.
window.top.location.replace("/gold");
