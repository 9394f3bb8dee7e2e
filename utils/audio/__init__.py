"""Any audio file in as a stream of blocks, stems out as files that appear whole or not at all."""
