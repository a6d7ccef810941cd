"""SMS text: alphabets, data codings and the parts of long messages; bytes and strings in, values out, no I/O."""
