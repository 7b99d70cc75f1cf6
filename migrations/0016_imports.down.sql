DROP TABLE imported_rows;
DROP TABLE imports;
