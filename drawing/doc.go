// Package drawing draws a stowage: hosts as the holds of a ship, replicas as the boxes in them, as one SVG.
//
// Draw is a pure function from a Picture to bytes: equal pictures give equal bytes. What a Picture holds may come from
// anywhere; it cannot make the drawing ill-formed, refer to anything outside it or run anything.
//
// What is drawn is to be read off: the area of a box is to the area of its hold as the memory that the replica reserves is
// to the memory of the host, and what the host keeps for itself lies at the bottom like ballast. So free room is what is
// left empty. Only a hold with more in it than its host has (while replicas come before others leave) is drawn to a
// smaller scale, with its load line across. Replicas that reserve no memory get a small box all the same.
//
// New, moving, changing and leaving boxes differ by outline, pattern and sign as well as by colour. The colours are CSS
// variables that a page around the drawing may set (style.go), and follow the reader's choice of dark or light.
//
// The chapters: picture.go (what goes in), sheet.go (the order on the page), layout.go (how large holds are and where),
// shelf.go (boxes in a hold), hold.go and box.go (what each looks like), legend.go, text.go (widths, escaping).
//
// The elements are stable for pages and tests: g.hold with data-host and an id made from the host's name, g.box with
// data-host and data-replica and its mark and health as classes, g.quay around the boxes without a host.
package drawing
