"""What the screens say: names, tables, definitions, where a number comes from."""
