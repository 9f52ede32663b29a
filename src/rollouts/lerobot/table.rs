//! Tables of columns, as Parquet. The only door to `parquet`.

use std::{path::PathBuf, sync::Arc};

use parquet::{
    basic::{ConvertedType, LogicalType, Repetition, Type as Physical},
    data_type::{BoolType, ByteArray, ByteArrayType, DoubleType, FloatType, Int64Type},
    errors::ParquetError,
    file::{
        metadata::KeyValue,
        properties::WriterProperties,
        writer::{SerializedColumnWriter, SerializedFileWriter},
    },
    schema::types::{Type, TypePtr},
};

use crate::rollouts::{
    RolloutError,
    files::{Draft, unwritable},
};

/// A column: each row has `shape` values, one after the other, outermost axis first; an empty shape is one value.
#[derive(Clone, Debug)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) shape: Vec<usize>,
    pub(super) values: Values,
}

/// What stands in a column.
#[derive(Clone, Debug)]
pub(super) enum Values {
    Int(Vec<i64>),
    Float(Vec<f32>),
    Double(Vec<f64>),
    Bool(Vec<bool>),
    Text(Vec<String>),
}

impl Column {
    pub(super) fn new(name: impl Into<String>, shape: &[usize], values: Values) -> Self {
        Self { name: name.into(), shape: shape.to_vec(), values }
    }

    pub(super) fn int(name: impl Into<String>, values: Vec<i64>) -> Self {
        Self::new(name, &[], Values::Int(values))
    }

    pub(super) fn bool(name: impl Into<String>, values: Vec<bool>) -> Self {
        Self::new(name, &[], Values::Bool(values))
    }

    pub(super) fn double(name: impl Into<String>, values: Vec<f64>) -> Self {
        Self::new(name, &[], Values::Double(values))
    }

    /// Values of a tick: several are a list, one is just a number, as LeRobot has it.
    pub(super) fn floats(name: impl Into<String>, width: usize, values: Vec<f32>) -> Self {
        let shape = if width == 1 { vec![] } else { vec![width] };
        Self { name: name.into(), shape, values: Values::Float(values) }
    }

    /// Its type, with as many lists around it as its shape has axes, as Apache Arrow writes lists.
    fn schema(&self) -> Result<TypePtr, ParquetError> {
        let (physical, text) = match self.values {
            Values::Int(_) => (Physical::INT64, false),
            Values::Float(_) => (Physical::FLOAT, false),
            Values::Double(_) => (Physical::DOUBLE, false),
            Values::Bool(_) => (Physical::BOOLEAN, false),
            Values::Text(_) => (Physical::BYTE_ARRAY, true),
        };
        let name = |depth: usize| if depth == 0 { self.name.as_str() } else { "element" };
        let mut leaf = Type::primitive_type_builder(name(self.shape.len()), physical)
            .with_repetition(Repetition::OPTIONAL);
        if text {
            leaf = leaf
                .with_logical_type(Some(LogicalType::String))
                .with_converted_type(ConvertedType::UTF8);
        }
        let mut inner: TypePtr = Arc::new(leaf.build()?);
        for depth in (0..self.shape.len()).rev() {
            let list = Type::group_type_builder("list")
                .with_repetition(Repetition::REPEATED)
                .with_fields(vec![inner])
                .build()?;
            let group = Type::group_type_builder(name(depth))
                .with_repetition(Repetition::OPTIONAL)
                .with_logical_type(Some(LogicalType::List))
                .with_converted_type(ConvertedType::LIST)
                .with_fields(vec![Arc::new(list)])
                .build()?;
            inner = Arc::new(group);
        }
        Ok(inner)
    }

    /// Where lists begin anew: of each value the axis that has gone on, 0 for the first of a row.
    fn repetitions(&self) -> Vec<i16> {
        let row: usize = self.shape.iter().product();
        let of = |at: usize| {
            if at == 0 {
                return 0;
            }
            let inner = |axis: usize| self.shape[axis..].iter().product::<usize>();
            let axis = (1..self.shape.len()).find(|axis| at.is_multiple_of(inner(*axis)));
            axis.unwrap_or(self.shape.len()) as i16
        };
        (0..self.values.len()).map(|at| of(at % row)).collect()
    }

    fn write(&self, mut out: SerializedColumnWriter<'_>) -> Result<(), ParquetError> {
        // Nothing is absent: every value is defined down to its innermost list.
        let defined = vec![2 * self.shape.len() as i16 + 1; self.values.len()];
        let repeated = (!self.shape.is_empty()).then(|| self.repetitions());
        let (defined, repeated) = (Some(defined.as_slice()), repeated.as_deref());
        match &self.values {
            Values::Int(values) => out.typed::<Int64Type>().write_batch(values, defined, repeated),
            Values::Float(values) => {
                out.typed::<FloatType>().write_batch(values, defined, repeated)
            }
            Values::Double(values) => {
                out.typed::<DoubleType>().write_batch(values, defined, repeated)
            }
            Values::Bool(values) => out.typed::<BoolType>().write_batch(values, defined, repeated),
            Values::Text(values) => {
                let values: Vec<ByteArray> =
                    values.iter().map(|text| ByteArray::from(text.as_bytes().to_vec())).collect();
                out.typed::<ByteArrayType>().write_batch(&values, defined, repeated)
            }
        }?;
        out.close()
    }
}

impl Values {
    const fn len(&self) -> usize {
        match self {
            Self::Int(values) => values.len(),
            Self::Float(values) => values.len(),
            Self::Double(values) => values.len(),
            Self::Bool(values) => values.len(),
            Self::Text(values) => values.len(),
        }
    }
}

/// A file of tables with the same columns, each a row group of it.
pub(super) struct Writer {
    path: PathBuf,
    parquet: SerializedFileWriter<Part>,
    bytes: u64,
}

/// The file, which the crate wants to own.
struct Part(Draft);

impl std::io::Write for Part {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.out.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.out.flush()
    }
}

impl Writer {
    /// A file for tables with the columns of this one; `notes` stand in its footer.
    pub(super) fn new(
        path: PathBuf,
        columns: &[Column],
        notes: &[(&str, String)],
    ) -> Result<Self, RolloutError> {
        let part = Part(Draft::new(path.clone())?);
        let notes =
            notes.iter().map(|(key, value)| KeyValue::new((*key).to_owned(), value.clone()));
        let properties = WriterProperties::builder()
            .set_created_by("reflexd".into())
            .set_key_value_metadata(Some(notes.collect()))
            .build();
        let open = || {
            let fields = columns.iter().map(Column::schema).collect::<Result<_, _>>()?;
            let schema = Type::group_type_builder("schema").with_fields(fields).build()?;
            SerializedFileWriter::new(part, Arc::new(schema), Arc::new(properties))
        };
        let parquet = open().map_err(refused(&path))?;
        Ok(Self { path, parquet, bytes: 0 })
    }

    pub(super) fn add(&mut self, columns: &[Column]) -> Result<(), RolloutError> {
        let mut write = || {
            let mut group = self.parquet.next_row_group()?;
            let mut columns = columns.iter();
            while let Some(out) = group.next_column()? {
                let short = || ParquetError::General("a column is missing".into());
                columns.next().ok_or_else(short)?.write(out)?;
            }
            group.close()
        };
        let written = write().map_err(refused(&self.path))?;
        self.bytes += written.compressed_size().max(0) as u64;
        Ok(())
    }

    /// How large it is by now.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn finish(self) -> Result<u64, RolloutError> {
        // Writes the footer, too.
        self.parquet.into_inner().map_err(refused(&self.path))?.0.finish()
    }
}

fn refused(file: &std::path::Path) -> impl Fn(ParquetError) -> RolloutError {
    let unwritable = unwritable(file);
    move |error| unwritable(std::io::Error::other(error.to_string()))
}
